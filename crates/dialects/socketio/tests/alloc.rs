#![allow(unsafe_code)]
#![allow(clippy::unwrap_used, missing_docs)]
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
struct Counting;
static COUNT: AtomicUsize = AtomicUsize::new(0);
static BYTES: std::sync::atomic::AtomicIsize = std::sync::atomic::AtomicIsize::new(0);
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, l: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(l.size() as isize, Ordering::Relaxed);
        unsafe { System.alloc(l) }
    }
    unsafe fn dealloc(&self, p: *mut u8, l: Layout) {
        BYTES.fetch_sub(l.size() as isize, Ordering::Relaxed);
        unsafe { System.dealloc(p, l) }
    }
    unsafe fn realloc(&self, p: *mut u8, l: Layout, n: usize) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(n as isize - l.size() as isize, Ordering::Relaxed);
        unsafe { System.realloc(p, l, n) }
    }
}
#[global_allocator]
static A: Counting = Counting;
use antiphon_net::websocket::client::{Request, masked_frame};
use antiphon_net::websocket::{FrameStart, Opcode};
#[test]
fn measure() {
    use antiphon_access::{Access, OrgSettings};
    use antiphon_hub::{Rule, Rules};
    use antiphon_model::OrgId;
    use antiphon_net::{NetSettings, NodeInputs, Server, ServerParts};
    use antiphon_node::{Node, NodeParts, NodeSettings, OrgParts, SystemClock};
    use antiphon_socketio::{Event, Io, Outcome, SocketIoSettings};
    use antiphon_store::{MemoryStore, StoreSettings};
    let io = Io::new(SocketIoSettings::default());
    let org = OrgSettings { name: "demo".into(), open: true, ..OrgSettings::default() };
    let access = Access::load(vec![org]).unwrap();
    let node = |inputs: NodeInputs| {
        let w = inputs.workers.clone();
        let parts = NodeParts {
            settings: NodeSettings::default(),
            access,
            store: Arc::new(MemoryStore::new(&StoreSettings::default()).unwrap()),
            orgs: vec![OrgParts {
                id: OrgId::new("demo"),
                rules: Rules::new([Rule { persist: false, ..Rule::default() }]),
            }],
            inboxes: Vec::new(),
            on_earlier: Box::new(|| {}),
        };
        let node = Node::new(inputs.into_parts(parts), SystemClock::start())?;
        io.install(Arc::clone(&node), w);
        Ok(node)
    };
    let served = io.clone();
    let server = Server::start(
        ServerParts {
            settings: NetSettings::default(),
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            workers: 1,
        },
        node,
        move |w| served.endpoint(w),
    )
    .unwrap();
    io.root().on(
        "echo",
        Arc::new(|event: Event| {
            let a = event.arguments;
            event.ack.unwrap().send(&a).unwrap();
            Outcome::Ready(Ok(()))
        }),
    );
    io.root().on("ignore", Arc::new(|_| Outcome::Ready(Ok(()))));
    let open = || {
        let mut s = std::net::TcpStream::connect(server.addresses()[0]).unwrap();
        s.set_nodelay(true).unwrap();
        s.write_all(
            Request {
                host: "localhost",
                target: "/socket.io/?EIO=4&transport=websocket",
                key: [7; 16],
                subprotocols: &[],
                deflate: false,
                headers: &[],
            }
            .encode()
            .as_bytes(),
        )
        .unwrap();
        let mut f = Vec::new();
        masked_frame(FrameStart::whole(Opcode::Text), b"40", [1, 2, 3, 4], &mut f);
        s.write_all(&f).unwrap();
        s
    };
    let mut s = open();
    std::thread::sleep(std::time::Duration::from_millis(200));
    let mut buf = vec![0; 1 << 20];
    let _ = s.read(&mut buf).unwrap();
    for (name, payload) in [
        ("echo", format!("421[\"echo\",\"{}\"]", "x".repeat(128))),
        ("echo obj", "421[\"echo\",{\"a\":1,\"b\":[1,2,3]}]".to_owned()),
        ("ignore", "42[\"ignore\",\"x\"]".to_owned()),
    ] {
        let mut f = Vec::new();
        masked_frame(FrameStart::whole(Opcode::Text), payload.as_bytes(), [1, 2, 3, 4], &mut f);
        for round in 0..2 {
            let n = 5000;
            let start = COUNT.load(Ordering::SeqCst);
            let t = std::time::Instant::now();
            for _ in 0..n {
                s.write_all(&f).unwrap();
                if name != "ignore" {
                    let _ = s.read(&mut buf).unwrap();
                }
            }
            if name == "ignore" {
                std::thread::sleep(std::time::Duration::from_millis(300));
            }
            let c = COUNT.load(Ordering::SeqCst) - start;
            if round == 1 {
                eprintln!("{name}: {:.2} allocations each, {:?} each", c as f64 / n as f64, t.elapsed() / n);
            }
        }
    }
    let before = BYTES.load(Ordering::SeqCst);
    let all: Vec<_> = (0..1000).map(|_| open()).collect();
    while io.root().socket_count() < 1001 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    eprintln!(
        "{} bytes for each idle connection",
        (BYTES.load(Ordering::SeqCst) - before) / all.len() as isize
    );
}
