"""Counters that any process may add to, in Prometheus' own form.

Knows: the names, labels and units of our metrics (base units; domains are the configured ones only).
Does not know: who reads them. With `PROMETHEUS_MULTIPROC_DIR` set before this module is imported, all processes add to one sum.
"""

from prometheus_client import Counter, Gauge, Histogram

# shown as backupmx_smtp_connections: the library keeps a gauge and a counter of one name for the same thing
CONNECTIONS = Gauge("backupmx_smtp_connections_open", "SMTP connections open now", multiprocess_mode="livesum")
CONNECTIONS_TOTAL = Counter("backupmx_smtp_connections", "SMTP connections by result (taken, refused)", ["result"])
MESSAGES_TOTAL = Counter(
    "backupmx_smtp_messages", "Transactions and recipients by result (accepted, refused) and reason", ["result", "reason"]
)
RECEIVED_BYTES = Counter("backupmx_smtp_received_bytes", "Octets of accepted content")
CERTIFICATE_EXPIRY = Gauge(
    "backupmx_certificate_expiry_timestamp_seconds",
    "When the certificate that senders see expires",
    multiprocess_mode="livemostrecent",
)
ATTEMPTS = Counter(
    "backupmx_delivery_attempts", "Outcomes by domain and result (delivered, deferred, failed)", ["domain", "result"]
)
NOTICES = Counter("backupmx_notices", "Notifications to senders by kind (failed, delayed, relayed, delivered)", ["kind"])
DELIVERY_SECONDS = Histogram("backupmx_delivery_duration_seconds", "From the lease to the primary's last word")
DELAY_SECONDS = Histogram(
    "backupmx_message_delay_seconds",
    "From arrival to delivery",
    buckets=(1, 10, 60, 600, 3600, 14400, 86400, 259200, 604800, 1209600),
)
DELIVERY_TLS = Counter("backupmx_delivery_tls", "Deliveries by TLS policy and result", ["policy", "result"])
COMMIT_SECONDS = Histogram(
    "backupmx_spool_commit_seconds",
    "One durable transaction of the spool",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
