#: about Debian's own python3, dynamically linked: threads, processes, pipes, sockets, an event loop
#: compare
#: packages libc6 zlib1g libexpat1 libssl3 libffi8 liblzma5 libbz2-1.0 libpython3.11-minimal libpython3.11-stdlib python3.11-minimal
#: timeout 120
cat > /tmp/threads.py <<'END'
import hashlib, os, re, subprocess, sys, tempfile, threading, zlib
print(sys.version.split()[0], sys.platform, os.uname().machine)
squares, lock = [], threading.Lock()
def square(i):
    with lock:
        squares.append(i * i)
threads = [threading.Thread(target=square, args=(i,)) for i in range(20)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sorted(squares))
print(subprocess.run(["/bin/sh", "-c", "echo $((6 * 7)); exit 5"], capture_output=True))
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "data")
    with open(path, "wb") as file:
        file.write(b"keel " * 100000)
    data = open(path, "rb").read()
    print(os.path.getsize(path), hashlib.sha256(data).hexdigest(), zlib.crc32(zlib.compress(data)))
words = re.findall(r"\w+", open("/etc/passwd").read())
print(len(words), sorted(set(words))[:5])
sys.exit(3)
END
cat > /tmp/processes.py <<'END'
import asyncio, mmap, multiprocessing, os, select, signal, socket, time
read, write = os.pipe()
pid = os.fork()
if pid == 0:
    os.write(write, b"from the child")
    os._exit(7)
print(os.read(read, 100), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
a, b = socket.socketpair()
a.send(b"through a socket")
poll = select.epoll()
poll.register(b, select.EPOLLIN)
print([event for _, event in poll.poll(5)], b.recv(100))
shared = mmap.mmap(-1, 4096)
pid = os.fork()
if pid == 0:
    shared[:5] = b"hello"
    os._exit(0)
os.waitpid(pid, 0)
print(shared[:5])
caught = []
signal.signal(signal.SIGALRM, lambda number, frame: caught.append(number))
signal.setitimer(signal.ITIMER_REAL, 0.01)
signal.pause()
print(caught)
async def main():
    process = await asyncio.create_subprocess_exec("echo", "a subprocess", stdout=asyncio.subprocess.PIPE)
    print(await process.stdout.read(), await process.wait())
    print(await asyncio.gather(*(asyncio.sleep(0.01 * i, i) for i in range(5))))
asyncio.run(main())
if __name__ == "__main__":
    with multiprocessing.Pool(3) as pool:
        print(pool.map(abs, range(-5, 5)))
END
for program in threads processes; do
    python3.11 /tmp/$program.py
    echo "$program: $?"
done
