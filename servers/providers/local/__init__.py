"""Real hosts on this Linux machine: namespaces, an overlay root, OpenSSH, real counters, nftables.

`driver.LocalNodeDriver` is a libcloud NodeDriver; the rest is what it stands on:

- `rootfs`   the slim, read-only lower layer every host shares (copies of some programs, nothing of the machine's own);
- `records`  one JSON file per host, the truth that survives the panel's process, with its locks;
- `disks`    one ext4 image per host, which outlives power cycles;
- `network`  the bridge, the veth pairs, the counters;
- `firewall` which addresses and ports are cut off, on the machine's side;
- `power`    starting and killing a host's processes; `enter` is the program that runs on the way in.

Meant for one machine of a developer or a demonstration: root, loopback, `LOCAL=1`. A host runs in its own user
namespace: its root is an ordinary user of the machine, without a capability outside. Still, tenants share one kernel:
not a place to sell.
"""
