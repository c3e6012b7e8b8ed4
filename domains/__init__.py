"""Domain names: at present the questions to the domain name system that other apps need."""
