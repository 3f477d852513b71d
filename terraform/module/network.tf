# A network for the function alone, with one outgoing address for the partner's allow list, and a way out that is as
# narrow as its work: Google's APIs by their private addresses, and the partner's port. Everything else is refused.

locals {
  networks = var.network == null ? 0 : 1

  # private.googleapis.com: https://cloud.google.com/vpc/docs/configure-private-google-access
  google_apis       = "199.36.153.8/30"
  google_apis_hosts = [for host in range(8, 12) : "199.36.153.${host}"]

  partner_ports = distinct(compact([tostring(var.partner.port), try(tostring(var.returns.port), "")]))
}

resource "google_compute_network" "this" {
  count = local.networks

  project                 = var.project
  name                    = "${var.name}-network"
  auto_create_subnetworks = false

  depends_on = [google_project_service.this]
}

resource "google_compute_subnetwork" "this" {
  count = local.networks

  project                  = var.project
  name                     = "${var.name}-function"
  network                  = google_compute_network.this[0].id
  region                   = var.region
  ip_cidr_range            = var.network.subnet
  private_ip_google_access = true

  log_config {
    aggregation_interval = "INTERVAL_5_MIN"
    flow_sampling        = 1.0
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

resource "google_compute_address" "outgoing" {
  count = local.networks

  project = var.project
  labels  = local.labels
  name    = "${var.name}-outgoing"
  region  = var.region

  # It is on the partner's allow list: a new one is another, and the partner takes days to let it in.
  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.this]
}

resource "google_compute_router" "this" {
  count = local.networks

  project = var.project
  name    = "${var.name}-router"
  region  = var.region
  network = google_compute_network.this[0].id
}

resource "google_compute_router_nat" "this" {
  count = local.networks

  project                            = var.project
  name                               = "${var.name}-nat"
  region                             = var.region
  router                             = google_compute_router.this[0].name
  nat_ip_allocate_option             = "MANUAL_ONLY"
  nat_ips                            = [google_compute_address.outgoing[0].self_link]
  source_subnetwork_ip_ranges_to_nat = "LIST_OF_SUBNETWORKS"

  subnetwork {
    name                    = google_compute_subnetwork.this[0].id
    source_ip_ranges_to_nat = ["ALL_IP_RANGES"]
  }

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}

resource "google_compute_firewall" "to_partner" {
  count = local.networks

  project            = var.project
  name               = "${var.name}-to-partner"
  network            = google_compute_network.this[0].id
  direction          = "EGRESS"
  priority           = 1000
  destination_ranges = var.partner.ranges

  allow {
    protocol = "tcp"
    ports    = local.partner_ports
  }
}

resource "google_compute_firewall" "to_google" {
  count = local.networks

  project            = var.project
  name               = "${var.name}-to-google"
  network            = google_compute_network.this[0].id
  direction          = "EGRESS"
  priority           = 1000
  destination_ranges = [local.google_apis]

  allow {
    protocol = "tcp"
    ports    = ["443"]
  }
}

resource "google_compute_firewall" "to_nowhere_else" {
  count = local.networks

  project            = var.project
  name               = "${var.name}-to-nowhere-else"
  network            = google_compute_network.this[0].id
  direction          = "EGRESS"
  priority           = 65000
  destination_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }
}

resource "google_dns_managed_zone" "google_apis" {
  count = local.networks

  project     = var.project
  labels      = local.labels
  name        = "${var.name}-googleapis"
  description = "Google's APIs by their private addresses, for the function's network."
  dns_name    = "googleapis.com."
  visibility  = "private"

  private_visibility_config {
    networks {
      network_url = google_compute_network.this[0].id
    }
  }
}

resource "google_dns_record_set" "google_apis" {
  for_each = var.network == null ? {} : {
    "private.googleapis.com." = { type = "A", values = local.google_apis_hosts }
    "*.googleapis.com."       = { type = "CNAME", values = ["private.googleapis.com."] }
  }

  project      = var.project
  managed_zone = google_dns_managed_zone.google_apis[0].name
  name         = each.key
  type         = each.value.type
  ttl          = 300
  rrdatas      = each.value.values
}
