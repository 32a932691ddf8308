"""What holds of authentications: pure."""
