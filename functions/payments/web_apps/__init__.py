"""Web apps: installed into a space, with processors of their own, telling what became of payments made with them."""
