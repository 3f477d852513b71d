{{ publish('transactions') }}
