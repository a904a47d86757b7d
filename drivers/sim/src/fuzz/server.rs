//! A whole server as a list of operations: clients come, send good and edited bytes, read or do not,
//! go away; the store acknowledges late or fails; time passes.

use std::{sync::Arc, time::Duration};

use arbitrary::{Result, Unstructured};
use zookeeper_core::{
    Disconnect, Rng,
    endpoint::CommandWhitelist,
    server::{Config, Durability},
    storage::{self, Lane, Retention},
    wire::{Blob, Command, ConnectRequest, Encode, Op, Xid},
};

use super::{stream::frame, world::World};
use crate::generate::requests::request;

/// How many operations one input may hold.
const OPERATIONS_MAX: usize = 400;

/// Settings, of which the highest bit says whether the first snapshot is late, then operations:
/// see [`Operation::read`].
///
/// # Panics
///
/// When the server breaks its contract.
pub fn server(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(settings) = input.arbitrary::<u8>() else { return };
    let mut world = World::new(Arc::new(config(settings)), settings >> 7 == 1);
    for _ in 0..OPERATIONS_MAX {
        let Ok(operation) = Operation::read(&mut input) else { break };
        operation.run(&mut world);
    }
    world.finish();
}

/// Small limits, so that small inputs reach them.
fn config(settings: u8) -> Config {
    let is_set = |bit: u8| settings >> bit & 1 == 1;
    let mut config = Config::default();
    config.endpoint.commands = CommandWhitelist::all();
    config.endpoint.super_digest =
        Some(zookeeper_core::Secret("super:D/InIHSb7yEEbrWz8b9l71RjZJU=".into()));
    config.endpoint.frame_length_max = 16 << 10;
    config.endpoint.connections_per_address_max = 4;
    config.endpoint.output_soft_max = 4 << 10;
    config.endpoint.output_hard_max = 32 << 10;
    config.endpoint.output_total_max = 64 << 10;
    if is_set(0) {
        config.durability = Durability::Logged(storage(is_set(6)));
    }
    if is_set(1) {
        config.endpoint.requests_per_connection_max = 3;
        config.endpoint.requests_max = 2;
    }
    if is_set(2) {
        config.endpoint.enforced_schemes = vec!["digest".into()];
    }
    if is_set(3) {
        config.endpoint.large_request_length = Some(1 << 10);
        config.endpoint.large_requests_total_max = 4 << 10;
    }
    config.tree.extended_types = is_set(4);
    config.tree.enforce_quota = is_set(5);
    config
}

/// With small limits snapshots follow each other, in files of the log that are short.
fn storage(has_small_limits: bool) -> storage::Config {
    let mut config = storage::Config::default();
    if has_small_limits {
        (config.snapshot_transactions, config.snapshot_bytes) = (8, Some(1 << 10));
        config.log_length_max = Some(512);
        config.retention = Some(Retention { snapshots: 3, interval: Duration::ZERO });
    }
    config
}

/// Something that happens to a server. Clients are numbered; a number that no client has means
/// nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Operation {
    /// Whether the driver takes what the server has to say only after the next operation.
    pub(super) is_batched: bool,
    pub(super) kind: Kind,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A connection from one of a few addresses.
    Accept { address: u8 },
    /// A handshake; for a known session if there is one of that number, with its password or a
    /// wrong one.
    Connect { client: u8, session: u8, is_wrong: bool },
    /// A request, and one byte of its frame replaced if `edit` says so.
    Request { client: u8, op: u8, seed: u8, edit: Option<(u8, u8)> },
    /// Any bytes.
    Bytes { client: u8, bytes: Vec<u8> },
    /// A four-letter word.
    Command { client: u8, command: u8 },
    /// The client's socket takes this many bytes and no more; the largest number is no limit.
    Window { client: u8, size: u16 },
    /// The client's side ends.
    End { client: u8, cause: u8 },
    /// Time passes, or seems to go back.
    Sleep { units: i8 },
    /// The clock on the wall is set.
    WallClock { hours: i8 },
    /// The store has done the next operations of its log, or of a snapshot.
    Store { lane: u8, count: u8 },
    /// The store has failed.
    StoreFails { lane: u8 },
    /// The application closes a connection.
    Disconnect { client: u8 },
    /// The application shuts the server down.
    Shutdown,
}

impl Operation {
    /// Reads one operation: a byte for its kind, whose highest bit is `is_batched`, then its fields
    /// in order.
    fn read(input: &mut Unstructured<'_>) -> Result<Self> {
        if input.is_empty() {
            return Err(arbitrary::Error::NotEnoughData);
        }
        let code: u8 = input.arbitrary()?;
        let kind = match code & 0x0f {
            0 => Kind::Accept { address: input.arbitrary()? },
            1 => Kind::Connect {
                client: input.arbitrary()?,
                session: input.arbitrary()?,
                is_wrong: input.arbitrary::<u8>()? == 0xff,
            },
            2..=5 => Kind::Request {
                client: input.arbitrary()?,
                op: input.arbitrary()?,
                seed: input.arbitrary()?,
                edit: (code & 0x0f == 5).then(|| input.arbitrary()).transpose()?,
            },
            6 => {
                let (client, length) = (input.arbitrary()?, usize::from(input.arbitrary::<u8>()?));
                let length = length.min(input.len());
                Kind::Bytes { client, bytes: input.bytes(length)?.to_vec() }
            }
            7 => Kind::Command { client: input.arbitrary()?, command: input.arbitrary()? },
            8 => Kind::Window { client: input.arbitrary()?, size: input.arbitrary()? },
            9 => Kind::End { client: input.arbitrary()?, cause: input.arbitrary()? },
            10 => Kind::Sleep { units: input.arbitrary()? },
            11 => Kind::WallClock { hours: input.arbitrary()? },
            12 => Kind::Store { lane: input.arbitrary()?, count: input.arbitrary()? },
            13 => Kind::StoreFails { lane: input.arbitrary()? },
            14 => Kind::Disconnect { client: input.arbitrary()? },
            _ => Kind::Shutdown,
        };
        Ok(Self { is_batched: code & 0x80 != 0, kind })
    }

    /// The inverse of [`Operation::read`].
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let batched = if self.is_batched { 0x80 } else { 0 };
        match &self.kind {
            Kind::Accept { address } => out.extend([batched, *address]),
            Kind::Connect { client, session, is_wrong } => {
                out.extend([batched | 1, *client, *session, if *is_wrong { 0xff } else { 0 }]);
            }
            Kind::Request { client, op, seed, edit: None } => {
                out.extend([batched | 2, *client, *op, *seed]);
            }
            Kind::Request { client, op, seed, edit: Some((place, byte)) } => {
                out.extend([batched | 5, *client, *op, *seed, *place, *byte]);
            }
            Kind::Bytes { client, bytes } => {
                let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
                out.extend([batched | 6, *client, length]);
                out.extend(&bytes[..usize::from(length)]);
            }
            Kind::Command { client, command } => out.extend([batched | 7, *client, *command]),
            Kind::Window { client, size } => {
                out.extend([batched | 8, *client]);
                out.extend(size.to_le_bytes());
            }
            Kind::End { client, cause } => out.extend([batched | 9, *client, *cause]),
            Kind::Sleep { units } => out.extend([batched | 10, units.cast_unsigned()]),
            Kind::WallClock { hours } => out.extend([batched | 11, hours.cast_unsigned()]),
            Kind::Store { lane, count } => out.extend([batched | 12, *lane, *count]),
            Kind::StoreFails { lane } => out.extend([batched | 13, *lane]),
            Kind::Disconnect { client } => out.extend([batched | 14, *client]),
            Kind::Shutdown => out.push(batched | 15),
        }
    }

    fn run(self, world: &mut World) {
        match self.kind {
            Kind::Accept { address } => world.accept(address & 3),
            Kind::Connect { client, session, is_wrong } => {
                let bytes = connect(world, session, is_wrong);
                world.send(client, &bytes);
            }
            Kind::Request { client, op, seed, edit } => {
                let op = Op::ALL[usize::from(op) % Op::ALL.len()];
                let mut bytes = frame(&request(&mut Rng::new(seed.into()), Xid(seed.into()), op));
                if let Some((place, byte)) = edit {
                    let place = usize::from(place) % bytes.len();
                    bytes[place] = byte;
                }
                world.send(client, &bytes);
            }
            Kind::Bytes { client, bytes } => world.send(client, &bytes),
            Kind::Command { client, command } => {
                let command = Command::ALL[usize::from(command) % Command::ALL.len()];
                world.send(client, &command.to_bytes());
            }
            Kind::Window { client, size } => {
                world.set_window(client, (size < u16::MAX).then_some(size.into()));
            }
            Kind::End { client, cause } => {
                let causes = [Disconnect::End, Disconnect::Reset, Disconnect::TimedOut];
                world.end(client, causes[usize::from(cause) % causes.len()]);
            }
            Kind::Sleep { units } => match u32::try_from(units) {
                Ok(units) => world.sleep(Duration::from_millis(250) * units),
                Err(_) => {
                    world.look_back(Duration::from_millis(250) * u32::from(units.unsigned_abs()))
                }
            },
            Kind::WallClock { hours } => world.set_wall_clock(i64::from(hours) * 3_600_000),
            Kind::Store { lane, count } => world.store(lane_of(lane), 1 + usize::from(count)),
            Kind::StoreFails { lane } => world.fail_store(lane_of(lane)),
            Kind::Disconnect { client } => world.disconnect(client),
            Kind::Shutdown => world.shutdown(),
        }
        if !self.is_batched {
            world.settle();
        }
    }
}

/// A handshake for a session the clients know of, or for a new one.
fn connect(world: &World, session: u8, is_wrong: bool) -> Vec<u8> {
    let known = world.sessions().get(usize::from(session));
    let (session, mut password) = known.copied().unwrap_or_default();
    if is_wrong {
        password[0] ^= 1;
    }
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Default::default(),
        timeout_ms: 6_000,
        session,
        password: Some(Blob::Slice(&password)),
        read_only: (password[1] & 1 == 0).then_some(false),
    };
    frame(&request.to_vec())
}

const fn lane_of(code: u8) -> Lane {
    if code & 1 == 0 { Lane::Log } else { Lane::Snapshot }
}
