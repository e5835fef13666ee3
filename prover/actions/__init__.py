"""What an owner does to an account: the inputs of a proof and the message to sign."""
