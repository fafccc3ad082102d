#!/usr/bin/env bash
# A PostgreSQL server for the tests, in a folder of its own, reached through a socket in it only.
#
#   eval "$(tests/postgresql_server.sh start build/postgresql)"   starts it, names it to the tests
#   make test
#   tests/postgresql_server.sh stop build/postgresql              stops it, removes the folder
#
# The server refuses to run as root: root lets it run as the user postgres of the Debian package.
set -euo pipefail

usage() {
  echo "usage: $0 start|stop FOLDER" >&2
  exit 2
}

[ $# -eq 2 ] || usage
verb=$1
given=$2

programs() {
  local found
  found=$(command -v initdb || ls -d /usr/lib/postgresql/*/bin/initdb 2> /dev/null | sort -V | tail -n 1)
  [ -n "$found" ] || {
    echo "$0: no PostgreSQL server here: apt-get install postgresql" >&2
    exit 1
  }
  dirname "$found"
}

as_server() {
  if [ "$(id -u)" -eq 0 ]; then
    runuser -u postgres -- "$@"
  else
    "$@"
  fi
}

start() {
  local bin
  bin=$(programs)
  [ ! -e "$folder" ] || {
    echo "$0: $folder is in the way: expected a folder that does not exist yet" >&2
    exit 1
  }
  # Beside the data only a link is made: the user postgres may not look into every folder, and the
  # path of a socket has at most 107 bytes.
  real=$(mktemp -d "${TMPDIR:-/tmp}/wattest-postgresql-XXXXXX")
  if [ "$(id -u)" -eq 0 ]; then
    id postgres > /dev/null
    chown postgres "$real"
  fi
  mkdir -p "$(dirname "$folder")"
  ln -s "$real" "$folder"
  as_server "$bin/initdb" --pgdata="$real/data" --auth=trust --username=wattest \
    --encoding=UTF8 --locale=C > "$real/initdb.log" 2>&1 || {
    cat "$real/initdb.log" >&2
    exit 1
  }
  as_server "$bin/pg_ctl" --pgdata="$real/data" --wait --log="$real/server.log" \
    --options="-c listen_addresses='' -c unix_socket_directories='$real' -c fsync=on" \
    start > "$real/start.log" 2>&1 || {
    cat "$real/start.log" "$real/server.log" >&2
    exit 1
  }
  echo "export WATTEST_TEST_POSTGRESQL='postgresql://wattest@/postgres?host=$real'"
}

stop() {
  local bin real
  [ -L "$folder" ] || return 0
  bin=$(programs)
  real=$(readlink "$folder")
  case $real in
    */wattest-postgresql-*) ;;
    *)
      echo "$0: $folder leads to $real, which this script did not make" >&2
      exit 1
      ;;
  esac
  as_server "$bin/pg_ctl" --pgdata="$real/data" --mode=immediate --wait stop > /dev/null 2>&1 || true
  rm -rf "$real"
  rm -f "$folder"
}

folder=${given%/}
case $verb in
  start | stop) "$verb" ;;
  *) usage ;;
esac
