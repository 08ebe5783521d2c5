# Completion of dirsync for bash; written by: dirsync completion bash
_dirsync() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local words=() i choices
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --store) ((i++)) ;;
      -*) ;;
      *) words+=("${COMP_WORDS[i]}") ;;
    esac
  done
  COMPREPLY=()
  if [[ $previous == --store ]]; then
    mapfile -t COMPREPLY < <(compgen -d -- "$current")
    return
  fi
  case "${words[*]:0:2}" in
    '') choices='init load dump backup restore mailbox recipient container group list show instance run plan apply runs ack held quarantine file agent pause resume join keys organization broker sites status check events doctor log resync config help completion man version --store --json --dry-run --yes --help ' ;;
    mailbox) choices='add set rename move delete ' ;;
    recipient) choices='add set delete ' ;;
    container) choices='add rename move delete ' ;;
    group) choices='add members delete ' ;;
    instance) choices='set show list delete ' ;;
    held) choices='list show approve reject ' ;;
    quarantine) choices='list show retry discard ' ;;
    file) choices='show verify ' ;;
    agent) choices='run ' ;;
    keys) choices='show renew ' ;;
    organization) choices='init ' ;;
    broker) choices='run invite stats streams readers ' ;;
    sites) choices='pending list approve refuse revoke remove add policy ' ;;
    log) choices='verify peek ' ;;
    resync) choices='plan run status ' ;;
    config) choices='show check ' ;;
    init | 'init '*) choices='--organization --site --server --address-type --domain --address-template --store --json --dry-run --yes --help' ;;
    load | 'load '*) choices='--replace --store --json --dry-run --yes --help' ;;
    dump | 'dump '*) choices='--imported --store --json --yes --help' ;;
    backup | 'backup '*) choices='--store --json --yes --help' ;;
    restore | 'restore '*) choices='--store --json --yes --help' ;;
    'mailbox add') choices='--display-name --given-name --surname --alias --address --attribute --hide --container --store --json --dry-run --yes --help' ;;
    'mailbox set') choices='--display-name --given-name --surname --alias --address --attribute --hide --unhide --add --remove --remove-address --store --json --dry-run --yes --help' ;;
    'mailbox rename') choices='--store --json --dry-run --yes --help' ;;
    'mailbox move') choices='--store --json --dry-run --yes --help' ;;
    'mailbox delete') choices='--store --json --dry-run --yes --help' ;;
    'recipient add') choices='--target --display-name --given-name --surname --alias --address --attribute --hide --container --store --json --dry-run --yes --help' ;;
    'recipient set') choices='--target --display-name --given-name --surname --alias --address --attribute --hide --unhide --add --remove --remove-address --store --json --dry-run --yes --help' ;;
    'recipient delete') choices='--store --json --dry-run --yes --help' ;;
    'container add') choices='--container --store --json --dry-run --yes --help' ;;
    'container rename') choices='--store --json --dry-run --yes --help' ;;
    'container move') choices='--store --json --dry-run --yes --help' ;;
    'container delete') choices='--store --json --dry-run --yes --help' ;;
    'group add') choices='--member --display-name --given-name --surname --alias --address --attribute --hide --container --store --json --dry-run --yes --help' ;;
    'group members') choices='--add --remove --store --json --dry-run --yes --help' ;;
    'group delete') choices='--store --json --dry-run --yes --help' ;;
    list | 'list '*) choices='--subs --class --filter --imported --local --store --json --yes --help' ;;
    show | 'show '*) choices='--store --json --yes --help' ;;
    'instance set') choices='--export --import --both --transport --export-file --container --subs --no-subs --attributes --class --filter --address-type --server --hidden --no-hidden --readers --import-file --import-container --domains --target --join --max-deletes --display-name-format --mv-append --no-mv-append --import-class --home-server --complete --no-complete --forget-key --store --json --dry-run --yes --help' ;;
    'instance show') choices='--store --json --yes --help' ;;
    'instance list') choices='--store --json --yes --help' ;;
    'instance delete') choices='--contacts --store --json --dry-run --yes --help' ;;
    run | 'run '*) choices='--full --compare-all --export --import --both --transport --export-file --container --subs --no-subs --attributes --class --filter --address-type --server --hidden --no-hidden --readers --import-file --import-container --domains --target --join --max-deletes --display-name-format --mv-append --no-mv-append --import-class --home-server --complete --no-complete --store --json --dry-run --yes --help' ;;
    plan | 'plan '*) choices='--full --compare-all --export --import --both --transport --export-file --container --subs --no-subs --attributes --class --filter --address-type --server --hidden --no-hidden --readers --import-file --import-container --domains --target --join --max-deletes --display-name-format --mv-append --no-mv-append --import-class --home-server --complete --no-complete --store --json --yes --help' ;;
    apply | 'apply '*) choices='--store --json --yes --help' ;;
    runs | 'runs '*) choices='--count --store --json --yes --help' ;;
    ack | 'ack '*) choices='--from --store --json --dry-run --yes --help' ;;
    'held list') choices='--instance --store --json --yes --help' ;;
    'held show') choices='--store --json --yes --help' ;;
    'held approve') choices='--all --instance --store --json --dry-run --yes --help' ;;
    'held reject') choices='--all --instance --store --json --dry-run --yes --help' ;;
    'quarantine list') choices='--instance --store --json --yes --help' ;;
    'quarantine show') choices='--store --json --yes --help' ;;
    'quarantine retry') choices='--all --instance --store --json --dry-run --yes --help' ;;
    'quarantine discard') choices='--all --instance --store --json --dry-run --yes --help' ;;
    'file show') choices='--store --json --yes --help' ;;
    'file verify') choices='--foreign --store --json --yes --help' ;;
    'agent run') choices='--config --in --out --every --on-event --store --json --yes --help' ;;
    pause | 'pause '*) choices='--store --json --dry-run --yes --help' ;;
    resume | 'resume '*) choices='--store --json --dry-run --yes --help' ;;
    join | 'join '*) choices='--domains --replaces --wait --store --json --dry-run --yes --help' ;;
    'keys show') choices='--store --json --yes --help' ;;
    'keys renew') choices='--store --json --dry-run --yes --help' ;;
    'organization init') choices='--store --json --dry-run --yes --help' ;;
    'broker run') choices='--config --listen --join-listen --public-address --public-join-address --page --store --json --yes --help' ;;
    'broker invite') choices='--store --json --yes --help' ;;
    'sites pending') choices='--store --json --yes --help' ;;
    'sites list') choices='--store --json --yes --help' ;;
    'sites approve') choices='--organization-key --admin --organization --store --json --dry-run --yes --help' ;;
    'sites refuse') choices='--store --json --dry-run --yes --help' ;;
    'sites revoke') choices='--organization-key --store --json --dry-run --yes --help' ;;
    'sites remove') choices='--organization-key --contacts --store --json --dry-run --yes --help' ;;
    'sites add') choices='--organization-key --public-key --transport-key --domain --server --admin --store --json --dry-run --yes --help' ;;
    'sites policy') choices='--max-objects --max-changes-per-hour --attributes --reset --store --json --dry-run --yes --help' ;;
    status | 'status '*) choices='--watch --store --json --yes --help' ;;
    check | 'check '*) choices='--format --late-warning --late-critical --offline-warning --offline-critical --store --json --yes --help' ;;
    events | 'events '*) choices='--after --store --json --yes --help' ;;
    doctor | 'doctor '*) choices='--store --json --yes --help' ;;
    'broker stats') choices='--watch --store --json --yes --help' ;;
    'broker streams') choices='--watch --store --json --yes --help' ;;
    'broker readers') choices='--watch --store --json --yes --help' ;;
    'log verify') choices='--all --store --json --yes --help' ;;
    'log peek') choices='--sequence --show-values --store --json --yes --help' ;;
    'resync plan') choices='--site --to --store --json --yes --help' ;;
    'resync run') choices='--site --to --full --store --json --dry-run --yes --help' ;;
    'resync status') choices='--store --json --yes --help' ;;
    'config show') choices='--store --json --yes --help' ;;
    'config check') choices='--store --json --yes --help' ;;
    help | 'help '*) choices='--store --json --yes --help' ;;
    completion | 'completion '*) choices='--store --json --yes --help' ;;
    man | 'man '*) choices='--store --json --yes --help' ;;
    version | 'version '*) choices='--store --json --yes --help' ;;
    *) choices='' ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")
  [[ ${#COMPREPLY[@]} -gt 0 ]] || mapfile -t COMPREPLY < <(compgen -f -- "$current")
}
complete -o filenames -F _dirsync dirsync
