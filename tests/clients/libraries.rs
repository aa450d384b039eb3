//! Libraries that other programs are made with: paramiko, asyncssh, the ssh2 package of npm.

use std::fs;

use super::{Matrix, Stage, holds, succeeds};

const PARAMIKO: &str = r#"
import hashlib, os, stat, sys, paramiko
port, key = int(sys.argv[1]), sys.argv[2]
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect("127.0.0.1", port, "anna", pkey=paramiko.Ed25519Key.from_private_key_file(key), look_for_keys=False, allow_agent=False)
sftp = client.open_sftp()
sftp.put("large", "pm-large")
sftp.get("pm-large", "pm-back")
assert open("large", "rb").read() == open("pm-back", "rb").read()
sftp.mkdir("pm-dir"); sftp.symlink("pm-large", "pm-link"); assert sftp.readlink("pm-link") == "pm-large"
sftp.rename("pm-large", "pm-moved"); sftp.posix_rename("pm-moved", "pm-large"); sftp.chmod("pm-large", 0o640)
assert stat.S_IMODE(sftp.stat("pm-large").st_mode) == 0o640
assert {"pm-dir", "pm-large", "pm-link"} <= set(sftp.listdir())
with sftp.open("pm-large", "r+") as f:
    f.seek(100); f.write(b"changed"); f.seek(98); assert f.read(11)[2:9] == b"changed"; f.truncate(200)
assert sftp.stat("pm-large").st_size == 200
with sftp.open("pm-large", "rb") as f:
    f.prefetch(); assert len(f.read()) == 200
sftp.utime("pm-large", (1, 2)); assert sftp.stat("pm-large").st_mtime == 2
sftp.remove("pm-link"); sftp.remove("pm-large"); sftp.rmdir("pm-dir")
stdin, stdout, stderr = client.exec_command("cat; exit 4")
stdin.write("in"); stdin.channel.shutdown_write()
assert stdout.read() == b"in" and stdout.channel.recv_exit_status() == 4
shell = client.invoke_shell(); shell.send("exit 9\n"); assert shell.recv_exit_status() == 9
print("done")
"#;

const ASYNCSSH: &str = r#"
import asyncio, sys, asyncssh
async def main():
    port, key = int(sys.argv[1]), sys.argv[2]
    async with asyncssh.connect("127.0.0.1", port, username="anna", client_keys=[key], known_hosts=None, config=None, agent_path=None) as conn:
        async with conn.start_sftp_client() as sftp:
            await sftp.put("large", "as-large"); await sftp.get("as-large", "as-back")
            assert open("large", "rb").read() == open("as-back", "rb").read()
            await sftp.put("tree", "as-tree", recurse=True)
            assert "a" in await sftp.listdir("as-tree")
            await sftp.symlink("as-large", "as-link"); assert await sftp.readlink("as-link") == "as-large"
            assert (await sftp.statvfs("."))
            await sftp.rmtree("as-tree")
        await asyncssh.scp((conn, "as-large"), "as-scp")
        assert open("large", "rb").read() == open("as-scp", "rb").read()
        result = await conn.run("echo out; exit 3"); assert (result.stdout, result.exit_status) == ("out\n", 3)
        jobs = await asyncio.gather(*[conn.run(f"echo {n}") for n in range(30)])
        assert [job.stdout for job in jobs] == [f"{n}\n" for n in range(30)]
        process = await conn.create_process("bash -c 'trap \"echo term; exit 7\" TERM; echo on; while :; do sleep 0.05; done'")
        await process.stdout.readline(); process.terminate(); result = await process.wait()
        assert result.exit_status == 7 and "term" in result.stdout, result
    print("done")
asyncio.run(main())
"#;

const NODE: &str = r#"
const { Client } = require(process.argv[2] + "/node_modules/ssh2");
const fs = require("fs"), assert = require("assert");
const [port, key] = process.argv.slice(3);
const client = new Client();
const call = (object, name, ...args) => new Promise((yes, no) => object[name](...args, (error, value) => (error ? no(error) : yes(value))));
client.on("error", error => { throw error; });
client.on("ready", async () => {
  const sftp = await call(client, "sftp");
  await call(sftp, "fastPut", "large", "n-large");
  await call(sftp, "fastGet", "n-large", "n-back");
  assert(fs.readFileSync("large").equals(fs.readFileSync("n-back")));
  await call(sftp, "mkdir", "n-dir"); await call(sftp, "rename", "n-large", "n-dir/moved");
  await call(sftp, "symlink", "moved", "n-dir/link");
  assert.equal(await call(sftp, "readlink", "n-dir/link"), "moved");
  assert.deepEqual((await call(sftp, "readdir", "n-dir")).map(entry => entry.filename).sort(), ["link", "moved"]);
  await call(sftp, "chmod", "n-dir/moved", 0o600);
  assert.equal((await call(sftp, "stat", "n-dir/moved")).mode & 0o777, 0o600);
  const stream = await call(client, "exec", "cat; exit 3");
  let said = ""; stream.on("data", data => { said += data; }); stream.end("in");
  const code = await new Promise(done => stream.on("close", done));
  assert.equal(code, 3); assert.equal(said, "in");
  const shell = await call(client, "shell"); shell.resume(); shell.end("exit 4\n");
  assert.equal(await new Promise(done => shell.on("exit", done)), 4);
  console.log("done"); client.end();
});
client.connect({ host: "127.0.0.1", port: Number(port), username: "anna", privateKey: fs.readFileSync(key) });
"#;

pub fn run(stage: &Stage, matrix: &mut Matrix) {
    for (client, script) in [("paramiko", PARAMIKO), ("asyncssh", ASYNCSSH)] {
        matrix.try_out(client, "files, commands, shells", || {
            let path = stage.local(&format!("{client}-client.py"));
            fs::write(&path, script).unwrap();
            let output = succeeds(stage.program("/usr/bin/python3").arg(path).arg(stage.port()).arg(&stage.key))?;
            holds("it went to its end", output.stdout.ends_with(b"done\n"))
        });
    }
    let package = concat!(env!("CARGO_MANIFEST_DIR"), "/target/clients");
    if !fs::exists(format!("{package}/node_modules/ssh2")).unwrap() {
        return matrix.skip("ssh2 (npm)", "make test could not install it");
    }
    matrix.try_out("ssh2 (npm)", "files, commands, shells", || {
        let path = stage.local("node-client.js");
        fs::write(&path, NODE).unwrap();
        let output = succeeds(stage.program("node").arg(path).arg(package).arg(stage.port()).arg(&stage.key))?;
        holds("it went to its end", output.stdout.ends_with(b"done\n"))
    });
}
