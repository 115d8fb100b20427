"""Engine 2: records come in, what they become goes out to Salesforce and its neighbours."""
