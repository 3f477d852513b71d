{{ changes('payments', whole=compares_all('payments')) }}
