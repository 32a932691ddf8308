"""What is done with webhooks: subscribing, identities, handing changes on."""
