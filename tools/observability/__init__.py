"""Tools for what Parley shows to Prometheus, Grafana and Alertmanager: metrics, alerts, dashboards."""
