"""Operations over HTTP: have records delivered, look at them, deliver them again or put them aside."""
