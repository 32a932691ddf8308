"""Who may use the payments family: accounts, spaces, users with their keys and roles, permissions."""
