# Makes a DIRSYNC text file of a list with one line "name;display name;mail" per person.
# Use: awk -f foreign.awk people.txt > people.dir
BEGIN { FS = ";" }
{ sub(/\r$/, "") }          # lists from Windows end their lines in CR LF
/^[ \t]*(#|$)/ { next }     # comments and blank lines
NF != 3 || $1 == "" {
  printf "line %d is not name;display name;mail: %s\n", NR, $0 > "/dev/stderr"
  bad = 1
  next
}
{
  gsub(/[\\\/]/, "\\\\&", $1)  # a '/' would begin another part of the name: write "\/"
  print "A " $1
  if ($2 != "") print "- Display-Name:" $2
  if ($3 != "") print "- Target-Address:SMTP:" $3
  print ""
}
END { exit bad }
