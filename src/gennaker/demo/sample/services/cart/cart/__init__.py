"""The cart: what visitors have chosen, with slow exports and a live view."""
