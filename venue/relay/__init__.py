"""Messages of a negotiation from party to party over HTTP, encrypted so that the relay reads none of them."""
