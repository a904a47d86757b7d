//! This project's client on mio, used by callbacks.

use std::{error::Error, sync::Arc};

use zookeeper_mio::client::{
    Client,
    operation::{GetData, SetData},
};

use crate::load::{Counter, DATA, Load, Operation, Outcome, PATH};

/// Requests are made on the callback thread.
pub fn run(load: &Load, counter: &Arc<Counter>) -> Result<Outcome, Box<dyn Error>> {
    let client = Client::connect(&load.address)?;
    for _ in 0..load.in_flight {
        match load.operation {
            Operation::Get => get(&client, Arc::clone(counter)),
            Operation::Set => set(&client, Arc::clone(counter)),
        }
    }
    let outcome = counter.measure_blocking(load.seconds);
    client.close();
    Ok(outcome)
}

fn get(client: &Client, counter: Arc<Counter>) {
    let again = client.clone();
    client.submit(&GetData::new(PATH), move |result| {
        assert_eq!(result.expect("it is there").data.len(), DATA.len());
        if counter.count() {
            get(&again, counter);
        }
    });
}

fn set(client: &Client, counter: Arc<Counter>) {
    let again = client.clone();
    client.submit(&SetData::new(PATH, &DATA[..], None), move |result| {
        result.expect("it is there");
        if counter.count() {
            set(&again, counter);
        }
    });
}
