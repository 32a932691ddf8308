"""What is done with notifications: recording events, delivering, looking up and sending again, upkeep."""
