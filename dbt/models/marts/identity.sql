{{ publish('identity') }}
