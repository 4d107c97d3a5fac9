"""The shop: visitors look at the page and order what it offers."""
