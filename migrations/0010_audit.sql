-- What the gateway did by itself has a bound; so it is found without reading what people did.
CREATE INDEX audit_of_gateway ON audit (id) WHERE actor = 'gateway';
