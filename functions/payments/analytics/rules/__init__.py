"""What may be asked and of what: tables made of the family's declarations, and the statements that are carried out."""
