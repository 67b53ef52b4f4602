"""What training in formats needs: optimizers, loss scaling, reductions of gradients."""
