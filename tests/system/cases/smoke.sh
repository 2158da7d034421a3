#: about pipelines
#: compare
seq 1 100 | grep 7 | sort -r | head -3
echo x >&2
exit 4
#: status 4
