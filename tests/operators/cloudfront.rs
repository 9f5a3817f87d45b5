//! CloudFront: what a plan gives up goes back, what others set is seen.
