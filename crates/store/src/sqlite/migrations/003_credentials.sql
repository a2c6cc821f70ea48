CREATE TABLE credentials (
    org_id INTEGER NOT NULL REFERENCES orgs (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    -- With what proves it: whoever reads this can be any of them.
    value BLOB NOT NULL,
    PRIMARY KEY (org_id, kind, name)
) STRICT, WITHOUT ROWID;

-- The server's own, made when first asked for.
CREATE TABLE secrets (
    name TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
