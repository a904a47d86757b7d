//! A framed connection: inbox, outbox, and what is lent to the driver.
