"""What is done with terminals: their life with a device, performing a payment, adding up."""
