"""What can be done with authentications."""
