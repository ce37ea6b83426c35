"""What the contracts compile to, as shipped: nobody needs a compiler to use ProML."""
