"""The hosted payment page: the buyer sees what there is to pay, chooses a method, pays, tries again, goes back."""
