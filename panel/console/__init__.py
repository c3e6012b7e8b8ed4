"""The staff's pages that span apps: my work, operations, mail, customers, approvals, the journal, health."""
