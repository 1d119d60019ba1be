"""The proof that stock is not oversold: buyers, a server of their own, and the books compared."""
