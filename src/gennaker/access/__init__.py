"""Access: who asks, and what they may do: identities, passwords, tokens, sessions and the one authoriser."""
