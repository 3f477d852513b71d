{{ changes('identity', whole=true) }}
