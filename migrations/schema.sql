-- Made by `make schema` from the migrations; a test compares.
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE events (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
    job_id TEXT NOT NULL, 
    owner TEXT NOT NULL, 
    job_seq INTEGER NOT NULL, 
    step TEXT NOT NULL, 
    payload TEXT NOT NULL, 
    at FLOAT NOT NULL, 
    final BOOLEAN NOT NULL
);
CREATE INDEX ix_events_job_id_seq ON events (job_id, seq);
CREATE INDEX ix_events_owner_seq ON events (owner, seq);
CREATE TABLE meta (
    "key" TEXT NOT NULL, 
    value TEXT NOT NULL, 
    CONSTRAINT pk_meta PRIMARY KEY ("key")
);
CREATE TABLE users (
    id TEXT NOT NULL, 
    email TEXT NOT NULL, 
    role TEXT NOT NULL, 
    password_hash TEXT, 
    available INTEGER NOT NULL, 
    held INTEGER NOT NULL, 
    created_at FLOAT NOT NULL, 
    disabled_at FLOAT, "plan" TEXT, plan_until FLOAT, 
    CONSTRAINT pk_users PRIMARY KEY (id), 
    CONSTRAINT ck_users_role CHECK (role IN ('admin', 'member', 'viewer')), 
    CONSTRAINT ck_users_balance CHECK (available >= 0 AND held >= 0), 
    CONSTRAINT uq_users_email UNIQUE (email)
);
CREATE TABLE api_keys (
    id TEXT NOT NULL, 
    user_id TEXT NOT NULL, 
    name TEXT NOT NULL, 
    prefix TEXT NOT NULL, 
    key_hash TEXT NOT NULL, 
    created_at FLOAT NOT NULL, 
    last_used_at FLOAT, 
    revoked_at FLOAT, scopes TEXT NOT NULL DEFAULT 'account admin videos:read videos:write', expires_at FLOAT, 
    CONSTRAINT pk_api_keys PRIMARY KEY (id), 
    CONSTRAINT fk_api_keys_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
    CONSTRAINT uq_api_keys_key_hash UNIQUE (key_hash)
);
CREATE INDEX ix_api_keys_user_id ON api_keys (user_id);
CREATE TABLE jobs (
    id TEXT NOT NULL, 
    owner TEXT NOT NULL, 
    prompt TEXT NOT NULL, 
    model TEXT NOT NULL, 
    upstream TEXT NOT NULL, 
    upstream_model TEXT NOT NULL, 
    seconds INTEGER NOT NULL, 
    size TEXT NOT NULL, 
    created_at FLOAT NOT NULL, 
    state TEXT NOT NULL, 
    version INTEGER NOT NULL, 
    attempt INTEGER NOT NULL, 
    refusals INTEGER NOT NULL, 
    not_before FLOAT NOT NULL, 
    queued_again_at FLOAT, 
    external_id TEXT, 
    progress FLOAT NOT NULL, 
    progress_estimated BOOLEAN NOT NULL, 
    upstream_status TEXT NOT NULL, 
    overdue BOOLEAN NOT NULL, 
    cancel_requested BOOLEAN NOT NULL, 
    submitted_at FLOAT, 
    accepted_at FLOAT, 
    finished_at FLOAT, 
    expires_at FLOAT, 
    note TEXT NOT NULL, 
    error_code TEXT, 
    error_message TEXT, 
    credits INTEGER NOT NULL, 
    retry_of TEXT, 
    deleted_at FLOAT, operation TEXT NOT NULL DEFAULT 'create' CONSTRAINT ck_jobs_operation CHECK (operation IN ('create', 'remix', 'edit', 'extend')), source_id TEXT, source_external_id TEXT, extended_by INTEGER, characters TEXT NOT NULL DEFAULT '', took FLOAT, visibility TEXT NOT NULL DEFAULT 'private' CONSTRAINT ck_jobs_visibility CHECK (visibility IN ('private', 'team')), lane INTEGER NOT NULL DEFAULT 1 CONSTRAINT ck_jobs_lane CHECK (lane IN (0, 1, 2)), batch_id TEXT, cost FLOAT, files_removed_at FLOAT, files_removed_because TEXT, 
    CONSTRAINT pk_jobs PRIMARY KEY (id), 
    CONSTRAINT ck_jobs_ended_has_a_time CHECK ((state IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL)), 
    CONSTRAINT ck_jobs_progress CHECK (progress >= 0 AND progress <= 100 AND (progress < 100 OR state = 'completed')), 
    CONSTRAINT ck_jobs_failed_has_a_reason CHECK (state <> 'failed' OR error_code IS NOT NULL), 
    CONSTRAINT ck_jobs_state CHECK (state IN ('queued', 'submitting', 'processing', 'storing', 'unknown', 'cancelling', 'completed', 'failed', 'cancelled')), 
    CONSTRAINT ck_jobs_accepted_has_external_id CHECK (state NOT IN ('processing', 'storing', 'cancelling', 'completed') OR external_id IS NOT NULL), 
    CONSTRAINT ck_jobs_intent_before_create CHECK (state NOT IN ('submitting', 'processing', 'storing', 'unknown', 'cancelling', 'completed') OR attempt > 0), 
    CONSTRAINT fk_jobs_owner FOREIGN KEY(owner) REFERENCES users (id)
);
CREATE INDEX ix_jobs_owner_created_at ON jobs (owner, created_at, id);
CREATE INDEX ix_jobs_unfinished ON jobs (created_at) WHERE state NOT IN ('completed', 'failed', 'cancelled');
CREATE UNIQUE INDEX uq_jobs_upstream_external_id ON jobs (upstream, external_id) WHERE external_id IS NOT NULL;
CREATE TABLE sessions (
    token_hash TEXT NOT NULL, 
    user_id TEXT NOT NULL, 
    created_at FLOAT NOT NULL, 
    expires_at FLOAT NOT NULL, id TEXT NOT NULL DEFAULT '', address TEXT NOT NULL DEFAULT '', user_agent TEXT NOT NULL DEFAULT '', authenticated_at FLOAT NOT NULL DEFAULT 0, seen_at FLOAT NOT NULL DEFAULT 0, 
    CONSTRAINT pk_sessions PRIMARY KEY (token_hash), 
    CONSTRAINT fk_sessions_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
CREATE INDEX ix_sessions_user_id ON sessions (user_id);
CREATE TABLE attempts (
    id TEXT NOT NULL, 
    job_id TEXT NOT NULL, 
    number INTEGER NOT NULL, 
    upstream TEXT NOT NULL, 
    sent_at FLOAT NOT NULL, 
    outcome TEXT, 
    external_id TEXT, 
    http_status INTEGER, 
    detail TEXT NOT NULL, 
    answered_at FLOAT, 
    CONSTRAINT pk_attempts PRIMARY KEY (id), 
    CONSTRAINT ck_attempts_outcome CHECK (outcome IS NULL OR outcome IN ('not_sent', 'refused_for_now', 'out_of_order', 'refused', 'receipt', 'known', 'unknown', 'adopted', 'pay_again', 'given_up')), 
    CONSTRAINT fk_attempts_job_id FOREIGN KEY(job_id) REFERENCES jobs (id)
);
CREATE INDEX ix_attempts_job_id ON attempts (job_id);
CREATE INDEX ix_attempts_upstream_external_id ON attempts (upstream, external_id) WHERE external_id IS NOT NULL;
CREATE TABLE ledger (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
    user_id TEXT NOT NULL, 
    job_id TEXT, 
    kind TEXT NOT NULL, 
    available INTEGER NOT NULL, 
    held INTEGER NOT NULL, 
    note TEXT NOT NULL, 
    at FLOAT NOT NULL, actor TEXT NOT NULL DEFAULT '', price_version TEXT NOT NULL DEFAULT '', period TEXT, 
    CONSTRAINT ck_ledger_kind CHECK (kind IN ('grant', 'hold', 'settle', 'release', 'adjust', 'redeem')), 
    CONSTRAINT fk_ledger_job_id FOREIGN KEY(job_id) REFERENCES jobs (id), 
    CONSTRAINT fk_ledger_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
CREATE INDEX ix_ledger_user_id_id ON ledger (user_id, id);
CREATE UNIQUE INDEX uq_ledger_job_id_end ON ledger (job_id) WHERE kind IN ('settle', 'release');
CREATE UNIQUE INDEX uq_ledger_job_id_hold ON ledger (job_id) WHERE kind = 'hold';
CREATE TRIGGER ledger_refuses_update BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is immutable'); END;
CREATE TRIGGER ledger_refuses_delete BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is immutable'); END;
CREATE TABLE "assets" (
    job_id TEXT NOT NULL, 
    variant TEXT NOT NULL, 
    path TEXT NOT NULL, 
    media_type TEXT NOT NULL, 
    size INTEGER NOT NULL, 
    sha256 TEXT NOT NULL, 
    CONSTRAINT pk_assets PRIMARY KEY (job_id, variant), 
    CONSTRAINT ck_assets_variant CHECK (variant IN ('video', 'thumbnail', 'spritesheet', 'reference', 'source')), 
    CONSTRAINT fk_assets_job_id FOREIGN KEY(job_id) REFERENCES jobs (id)
);
CREATE TABLE idempotency_keys (
    user_id TEXT NOT NULL, 
    route TEXT NOT NULL, 
    "key" TEXT NOT NULL, 
    fingerprint TEXT NOT NULL, 
    made_id TEXT NOT NULL, 
    created_at FLOAT NOT NULL, 
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (user_id, route, "key"), 
    CONSTRAINT fk_idempotency_keys_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
CREATE INDEX ix_idempotency_keys_created_at ON idempotency_keys (created_at);
CREATE TABLE resends (
    made_id TEXT NOT NULL, 
    credential TEXT NOT NULL, 
    fingerprint TEXT NOT NULL, 
    count INTEGER NOT NULL, 
    at FLOAT NOT NULL, 
    CONSTRAINT pk_resends PRIMARY KEY (made_id)
);
CREATE INDEX ix_resends_at ON resends (at);
CREATE INDEX ix_resends_credential ON resends (credential, fingerprint, count);
CREATE TABLE reference_images (
    id TEXT NOT NULL, 
    owner TEXT NOT NULL, 
    library TEXT NOT NULL, 
    name TEXT NOT NULL, 
    path TEXT NOT NULL, 
    media_type TEXT NOT NULL, 
    width INTEGER NOT NULL, 
    height INTEGER NOT NULL, 
    size INTEGER NOT NULL, 
    sha256 TEXT NOT NULL, 
    created_at FLOAT NOT NULL, 
    CONSTRAINT pk_reference_images PRIMARY KEY (id), 
    CONSTRAINT ck_reference_images_library CHECK (library IN ('personal', 'team')), 
    CONSTRAINT fk_reference_images_owner FOREIGN KEY(owner) REFERENCES users (id)
);
CREATE INDEX ix_reference_images_owner_created_at ON reference_images (owner, created_at, id);
CREATE TABLE characters (
    id TEXT NOT NULL, 
    owner TEXT NOT NULL, 
    name TEXT NOT NULL, 
    upstream TEXT NOT NULL, 
    external_id TEXT, 
    state TEXT NOT NULL, 
    created_at FLOAT NOT NULL, 
    CONSTRAINT pk_characters PRIMARY KEY (id), 
    CONSTRAINT ck_characters_state CHECK (state IN ('creating', 'ready', 'unknown')), 
    CONSTRAINT ck_characters_ready_has_external_id CHECK ((state = 'ready') = (external_id IS NOT NULL)), 
    CONSTRAINT fk_characters_owner FOREIGN KEY(owner) REFERENCES users (id)
);
CREATE INDEX ix_characters_owner ON characters (owner);
CREATE INDEX ix_jobs_took ON jobs (upstream, finished_at) WHERE took IS NOT NULL;
CREATE TABLE audit (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
    at FLOAT NOT NULL, 
    actor TEXT NOT NULL, 
    action TEXT NOT NULL, 
    target TEXT NOT NULL, 
    detail TEXT NOT NULL
, address TEXT NOT NULL DEFAULT '', request_id TEXT NOT NULL DEFAULT '');
CREATE INDEX ix_audit_target ON audit (target);
CREATE TABLE upstreams (
    name TEXT NOT NULL, 
    settings TEXT NOT NULL, 
    api_key TEXT NOT NULL, 
    enabled BOOLEAN NOT NULL, 
    created_at FLOAT NOT NULL, 
    changed_at FLOAT NOT NULL, 
    CONSTRAINT pk_upstreams PRIMARY KEY (name)
);
CREATE INDEX ix_jobs_team ON jobs (created_at, id) WHERE visibility = 'team';
CREATE TABLE share_links (
    id TEXT NOT NULL, 
    job_id TEXT NOT NULL, 
    created_by TEXT NOT NULL, 
    created_at FLOAT NOT NULL, 
    expires_at FLOAT NOT NULL, 
    revoked_at FLOAT, 
    CONSTRAINT pk_share_links PRIMARY KEY (id), 
    CONSTRAINT fk_share_links_job_id FOREIGN KEY(job_id) REFERENCES jobs (id), 
    CONSTRAINT fk_share_links_created_by FOREIGN KEY(created_by) REFERENCES users (id)
);
CREATE INDEX ix_share_links_job_id ON share_links (job_id);
CREATE TABLE one_time_links (
    token_hash TEXT NOT NULL, 
    id TEXT NOT NULL, 
    kind TEXT NOT NULL, 
    user_id TEXT, 
    email TEXT, 
    role TEXT, 
    created_by TEXT NOT NULL, 
    created_at FLOAT NOT NULL, 
    expires_at FLOAT NOT NULL, 
    CONSTRAINT pk_one_time_links PRIMARY KEY (token_hash), 
    CONSTRAINT ck_one_time_links_kind CHECK (kind IN ('admin', 'login', 'invite', 'reset')), 
    CONSTRAINT fk_one_time_links_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
CREATE TABLE identities (
    id TEXT NOT NULL, 
    issuer TEXT NOT NULL, 
    subject TEXT NOT NULL, 
    user_id TEXT NOT NULL, 
    email TEXT NOT NULL, 
    created_at FLOAT NOT NULL, 
    CONSTRAINT pk_identities PRIMARY KEY (id), 
    CONSTRAINT fk_identities_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
    CONSTRAINT uq_identities_issuer_subject UNIQUE (issuer, subject)
);
CREATE INDEX ix_identities_user_id ON identities (user_id);
CREATE TABLE settings (
    "key" TEXT NOT NULL, 
    value TEXT NOT NULL, 
    changed_at FLOAT NOT NULL, 
    changed_by TEXT NOT NULL, 
    CONSTRAINT pk_settings PRIMARY KEY ("key")
);
CREATE UNIQUE INDEX uq_ledger_user_id_period ON ledger (user_id, period) WHERE period IS NOT NULL;
CREATE TABLE plans (
    name TEXT NOT NULL, 
    settings TEXT NOT NULL, 
    changed_at FLOAT NOT NULL, 
    CONSTRAINT pk_plans PRIMARY KEY (name)
);
CREATE TABLE codes (
    id TEXT NOT NULL, 
    code_hash TEXT NOT NULL, 
    prefix TEXT NOT NULL, 
    credits INTEGER NOT NULL, 
    "plan" TEXT, 
    plan_days INTEGER, 
    uses_left INTEGER NOT NULL, 
    note TEXT NOT NULL, 
    created_by TEXT NOT NULL, 
    created_at FLOAT NOT NULL, 
    expires_at FLOAT, 
    revoked_at FLOAT, 
    CONSTRAINT pk_codes PRIMARY KEY (id), 
    CONSTRAINT ck_codes_worth CHECK (credits >= 0 AND uses_left >= 0), 
    CONSTRAINT uq_codes_code_hash UNIQUE (code_hash)
);
CREATE TABLE redemptions (
    code_id TEXT NOT NULL, 
    user_id TEXT NOT NULL, 
    at FLOAT NOT NULL, 
    CONSTRAINT pk_redemptions PRIMARY KEY (code_id, user_id), 
    CONSTRAINT fk_redemptions_code_id FOREIGN KEY(code_id) REFERENCES codes (id), 
    CONSTRAINT fk_redemptions_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
CREATE INDEX ix_jobs_batch_id ON jobs (batch_id) WHERE batch_id IS NOT NULL;
CREATE TABLE job_tags (
    job_id TEXT NOT NULL, 
    tag TEXT NOT NULL, 
    CONSTRAINT pk_job_tags PRIMARY KEY (job_id, tag), 
    CONSTRAINT fk_job_tags_job_id FOREIGN KEY(job_id) REFERENCES jobs (id)
);
CREATE INDEX ix_job_tags_tag ON job_tags (tag, job_id);
CREATE TABLE templates (
    id TEXT NOT NULL, 
    owner TEXT NOT NULL, 
    visibility TEXT NOT NULL, 
    name TEXT NOT NULL, 
    prompt TEXT NOT NULL, 
    model TEXT, 
    size TEXT, 
    seconds INTEGER, 
    created_at FLOAT NOT NULL, 
    changed_at FLOAT NOT NULL, 
    CONSTRAINT pk_templates PRIMARY KEY (id), 
    CONSTRAINT ck_templates_visibility CHECK (visibility IN ('private', 'team')), 
    CONSTRAINT fk_templates_owner FOREIGN KEY(owner) REFERENCES users (id)
);
CREATE INDEX ix_templates_owner ON templates (owner);
CREATE TABLE webhooks (
    id TEXT NOT NULL, 
    owner TEXT NOT NULL, 
    url TEXT NOT NULL, 
    description TEXT NOT NULL, 
    events TEXT NOT NULL, 
    everybody BOOLEAN NOT NULL, 
    enabled BOOLEAN NOT NULL, 
    disabled_reason TEXT NOT NULL, 
    secret TEXT NOT NULL, 
    old_secret TEXT, 
    old_until FLOAT, 
    failing_since FLOAT, 
    created_at FLOAT NOT NULL, 
    changed_at FLOAT NOT NULL, 
    CONSTRAINT pk_webhooks PRIMARY KEY (id), 
    CONSTRAINT fk_webhooks_owner FOREIGN KEY(owner) REFERENCES users (id)
);
CREATE INDEX ix_webhooks_owner ON webhooks (owner);
CREATE TABLE webhook_deliveries (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
    id TEXT NOT NULL, 
    webhook_id TEXT NOT NULL, 
    job_id TEXT, 
    type TEXT NOT NULL, 
    created_at FLOAT NOT NULL, 
    status TEXT NOT NULL, 
    note TEXT NOT NULL, 
    tries INTEGER NOT NULL, 
    round INTEGER NOT NULL, 
    next_at FLOAT, 
    CONSTRAINT ck_webhook_deliveries_status CHECK (status IN ('pending', 'delivered', 'given_up')), 
    CONSTRAINT fk_webhook_deliveries_job_id FOREIGN KEY(job_id) REFERENCES jobs (id), 
    CONSTRAINT fk_webhook_deliveries_webhook_id FOREIGN KEY(webhook_id) REFERENCES webhooks (id), 
    CONSTRAINT uq_webhook_deliveries_id UNIQUE (id)
);
CREATE INDEX ix_webhook_deliveries_webhook_id_seq ON webhook_deliveries (webhook_id, seq);
CREATE INDEX ix_webhook_deliveries_pending ON webhook_deliveries (webhook_id, next_at) WHERE status = 'pending';
CREATE INDEX ix_webhook_deliveries_created_at ON webhook_deliveries (created_at);
CREATE TABLE webhook_tries (
    id INTEGER NOT NULL, 
    delivery INTEGER NOT NULL, 
    at FLOAT NOT NULL, 
    duration FLOAT NOT NULL, 
    http_status INTEGER, 
    error TEXT NOT NULL, 
    CONSTRAINT pk_webhook_tries PRIMARY KEY (id), 
    CONSTRAINT fk_webhook_tries_delivery FOREIGN KEY(delivery) REFERENCES webhook_deliveries (seq)
);
CREATE INDEX ix_webhook_tries_delivery ON webhook_tries (delivery);
CREATE INDEX ix_jobs_with_files ON jobs (finished_at, id) WHERE finished_at IS NOT NULL AND deleted_at IS NULL AND (files_removed_because IS NULL OR files_removed_because = 'missing');
CREATE TABLE removed_assets (
    job_id TEXT NOT NULL, 
    variant TEXT NOT NULL, 
    size INTEGER NOT NULL, 
    sha256 TEXT NOT NULL, 
    removed_at FLOAT NOT NULL, 
    because TEXT NOT NULL, 
    CONSTRAINT pk_removed_assets PRIMARY KEY (job_id, variant), 
    CONSTRAINT ck_removed_assets_because CHECK (because IN ('age', 'disk', 'missing')), 
    CONSTRAINT fk_removed_assets_job_id FOREIGN KEY(job_id) REFERENCES jobs (id)
);
CREATE INDEX ix_jobs_created_at ON jobs (created_at, id) WHERE deleted_at IS NULL;
