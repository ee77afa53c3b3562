"""An exported graph, cut into two at a tensor that alone connects them."""
