"""The customer's pages that span apps: the dashboard, the frame's account switch and banners."""
