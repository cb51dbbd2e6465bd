// The tables of a store: the application id and the migrations, which are only ever appended to. Store decides what to
// do with an older or newer file. There are no triggers and no views, since connections have both switched off.

import GRDB

enum Schema {
  /// "CROS" in ASCII, in the file's header (https://www.sqlite.org/pragma.html#pragma_application_id).
  static let applicationID: UInt32 = 0x4352_4F53

  /// All migrations so far. A published one never changes; a change of the schema is a new one at the end.
  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1", foreignKeyChecks: .immediate) { try $0.execute(sql: version1) }
    migrator.registerMigration("base model", foreignKeyChecks: .immediate) { try $0.execute(sql: baseModel) }
    migrator.registerMigration("detection score", foreignKeyChecks: .immediate) { try $0.execute(sql: detectionScore) }
    migrator.registerMigration(latentMetrics, foreignKeyChecks: .immediate) { try $0.execute(sql: metricTables) }
    migrator.registerMigration(examplesBySequence, foreignKeyChecks: .immediate) { try $0.execute(sql: contextIndex) }
    migrator.registerMigration(journalSessions, foreignKeyChecks: .immediate) { try $0.execute(sql: sessionColumns) }
    migrator.registerMigration(differences, foreignKeyChecks: .immediate) { try $0.execute(sql: differenceTables) }
    migrator.registerMigration(published, foreignKeyChecks: .immediate) { try $0.execute(sql: publishedTable) }
    return migrator
  }

  private static let latentMetrics = "latent-metrics"
  private static let examplesBySequence = "examples-by-sequence"
  private static let journalSessions = "journal-sessions"
  private static let differences = "differences"
  private static let published = "published"

  /// The index that leads from a sequence to the latents with a context in it. Searches for text and for latents that
  /// fire together use it.
  static let contextIndex = "CREATE INDEX example_sequence ON example (sequence, latent);"

  /// Migrations that only add tables which may be empty, indexes, or columns that only writers use. A store without
  /// them can be read as it is.
  static let additions: Set<String> = [latentMetrics, examplesBySequence, journalSessions, differences, published]

  /// The tables that every store has. A file without one of them is not a store.
  static let tables: Set<String> = [
    "meta", "model_pair", "token", "latent", "sequence", "example", "histogram", "logit", "neighbour", "tag", "note",
    "explanation", "experiment", "journal", "sequence_search", "note_search", "explanation_search",
  ]

  private static let baseModel = """
    ALTER TABLE model_pair ADD COLUMN base_model_path TEXT;
    ALTER TABLE model_pair ADD COLUMN base_model_sha256 TEXT;
    """

  private static let detectionScore = """
    ALTER TABLE explanation ADD COLUMN detection_score REAL;
    ALTER TABLE explanation ADD COLUMN details TEXT;
    """

  /// What two models differ in, which needs no crosscoder: sections of a document, and directions of the residual stream with the
  /// block, counted from 0, after which each was found. Vectors are little-endian fp32.
  private static let differenceTables = """
    CREATE TABLE difference (section TEXT NOT NULL PRIMARY KEY, content TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE direction (
      id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, layer INTEGER NOT NULL, unit REAL NOT NULL,
      source TEXT NOT NULL, card TEXT NOT NULL, vector BLOB NOT NULL) STRICT;
    """

  /// The lines of the published files that a store was made from, in their order: gzip of some whole lines a row. They hold what
  /// the other tables round or have no place for, so that the files can be written again.
  private static let publishedTable = """
    CREATE TABLE published (
      id INTEGER PRIMARY KEY, kind TEXT NOT NULL, file TEXT NOT NULL, content BLOB NOT NULL) STRICT;
    """

  /// `session` says whose edit it was and is empty for older edits; `stamp` rises with every edit, undo and redo.
  private static let sessionColumns = """
    ALTER TABLE journal ADD COLUMN session TEXT NOT NULL DEFAULT '';
    ALTER TABLE journal ADD COLUMN stamp INTEGER NOT NULL DEFAULT 0;
    """

  private static let version1 = """
    CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE model_pair (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      base TEXT NOT NULL, chat TEXT NOT NULL,
      layer INTEGER NOT NULL, d_model INTEGER NOT NULL, n_latents INTEGER NOT NULL, vocab_size INTEGER NOT NULL,
      model_path TEXT, model_sha256 TEXT, adapter_path TEXT, adapter_sha256 TEXT,
      crosscoder_path TEXT, crosscoder_sha256 TEXT, tokenizer_path TEXT, tokenizer_sha256 TEXT,
      card TEXT NOT NULL) STRICT;
    CREATE TABLE token (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL, special INTEGER NOT NULL) STRICT;
    CREATE TABLE latent (
      id INTEGER PRIMARY KEY,
      dec_norm_base REAL, dec_norm_chat REAL, delta_norm REAL, cos_base_chat REAL,
      beta_error_base REAL, beta_error_chat REAL,
      beta_reconstruction_base REAL, beta_reconstruction_chat REAL,
      beta_activation_base REAL, beta_activation_chat REAL,
      nu_error REAL, nu_reconstruction REAL,
      max_activation REAL, mean_activation REAL,
      frequency REAL, frequency_plain REAL, frequency_chat REAL, template_share REAL,
      dead INTEGER NOT NULL,
      class TEXT NOT NULL CHECK (class IN ('chat-only', 'base-only', 'shared', 'other')),
      chat_specificity INTEGER) STRICT;
    CREATE INDEX latent_nu_error ON latent (nu_error);
    CREATE INDEX latent_nu_reconstruction ON latent (nu_reconstruction);
    CREATE INDEX latent_delta_norm ON latent (delta_norm);
    CREATE INDEX latent_frequency ON latent (frequency);
    CREATE INDEX latent_max_activation ON latent (max_activation);
    CREATE INDEX latent_chat_specificity ON latent (chat_specificity);
    CREATE INDEX latent_cos_base_chat ON latent (cos_base_chat);
    CREATE INDEX latent_template_share ON latent (template_share);
    CREATE TABLE sequence (
      id INTEGER PRIMARY KEY, token_ids BLOB NOT NULL, corpus TEXT NOT NULL, template_mask BLOB NOT NULL) STRICT;
    CREATE TABLE example (
      latent INTEGER NOT NULL REFERENCES latent,
      quantile INTEGER NOT NULL CHECK (quantile BETWEEN 0 AND 5),
      rank INTEGER NOT NULL,
      sequence INTEGER NOT NULL REFERENCES sequence,
      max_activation REAL NOT NULL,
      positions BLOB NOT NULL, "values" BLOB NOT NULL,
      PRIMARY KEY (latent, quantile DESC, rank)) STRICT, WITHOUT ROWID;
    CREATE TABLE histogram (
      latent INTEGER NOT NULL REFERENCES latent, corpus TEXT NOT NULL,
      low REAL NOT NULL, high REAL NOT NULL, counts BLOB NOT NULL,
      PRIMARY KEY (latent, corpus)) STRICT, WITHOUT ROWID;
    CREATE TABLE logit (
      latent INTEGER NOT NULL REFERENCES latent,
      direction TEXT NOT NULL CHECK (direction IN ('base', 'chat', 'difference')),
      promoted_ids BLOB NOT NULL, promoted_values BLOB NOT NULL,
      suppressed_ids BLOB NOT NULL, suppressed_values BLOB NOT NULL,
      PRIMARY KEY (latent, direction)) STRICT, WITHOUT ROWID;
    CREATE TABLE neighbour (
      latent INTEGER NOT NULL REFERENCES latent,
      kind TEXT NOT NULL CHECK (kind IN ('base', 'chat', 'twin')),
      other INTEGER NOT NULL REFERENCES latent (id),
      cosine REAL NOT NULL,
      PRIMARY KEY (latent, kind, other)) STRICT, WITHOUT ROWID;
    CREATE TABLE tag (
      name TEXT NOT NULL, latent INTEGER NOT NULL REFERENCES latent,
      PRIMARY KEY (name, latent)) STRICT, WITHOUT ROWID;
    CREATE INDEX tag_latent ON tag (latent, name);
    CREATE TABLE note (latent INTEGER PRIMARY KEY REFERENCES latent, text TEXT NOT NULL) STRICT;
    CREATE TABLE explanation (
      id INTEGER PRIMARY KEY, latent INTEGER NOT NULL REFERENCES latent, source TEXT NOT NULL, text TEXT NOT NULL,
      UNIQUE (latent, source)) STRICT;
    CREATE TABLE experiment (
      id INTEGER PRIMARY KEY, created TEXT NOT NULL, prompt TEXT NOT NULL, kind TEXT NOT NULL,
      interventions TEXT NOT NULL, parameters TEXT NOT NULL, outputs TEXT NOT NULL, versions TEXT NOT NULL) STRICT;
    CREATE TABLE journal (
      id INTEGER PRIMARY KEY, action TEXT NOT NULL, changes TEXT NOT NULL, undone INTEGER NOT NULL) STRICT;
    CREATE VIRTUAL TABLE sequence_search USING fts5(
      text, content='', columnsize=0, detail='none', tokenize='unicode61 remove_diacritics 2');
    CREATE VIRTUAL TABLE note_search USING fts5(text, tokenize='unicode61 remove_diacritics 2');
    CREATE VIRTUAL TABLE explanation_search USING fts5(text, tokenize='unicode61 remove_diacritics 2');
    """

  /// Metrics beyond the columns of `latent`, by name, which published tables bring. One index serves every order.
  private static let metricTables = """
    CREATE TABLE metric (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE latent_metric (
      metric INTEGER NOT NULL REFERENCES metric, latent INTEGER NOT NULL REFERENCES latent, value REAL NOT NULL,
      PRIMARY KEY (metric, latent)) STRICT, WITHOUT ROWID;
    CREATE INDEX latent_metric_value ON latent_metric (metric, value);
    """
}
