{{ publish('payments') }}
