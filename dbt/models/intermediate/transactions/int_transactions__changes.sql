{{ changes('transactions', whole=compares_all('transactions')) }}
