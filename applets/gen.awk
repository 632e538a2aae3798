# Reads the applets and writes what the rest of the tree needs to know of them:
#   build/applets.h        the rows of the table
#   build/Kconfig.applets  a symbol for each
#   build/applets.mk       its object
# Called as: awk -v out=build -f applets/gen.awk applets/*.c
function flush_applet() {
	if (name == "")
		return
	sym = "APPLET_" toupper(name)
	print "#ifdef CONFIG_" sym "\nROW(" name ")\n#endif" > (out "/applets.h.new")
	print "config " sym "\n\tbool \"" name ": " help "\"\n\tdefault y" config "\n" > (out "/Kconfig.applets.new")
	print "objs-$(CONFIG_" sym ") += " file > (out "/applets.mk.new")
	name = ""
}
FNR == 1 { flush_applet() }
/^APPLET\(/ {
	line = $0
	sub(/^APPLET\(/, "", line)
	name = line
	sub(/,.*/, "", name)
	help = line
	sub(/"[^"]*$/, "", help)
	sub(/.*"/, "", help)
	file = FILENAME
	sub(/\.c$/, ".o", file)
	config = ""
}
/^\/\/config:/ && name != "" {
	line = $0
	sub(/^\/\/config:[ ]?/, "", line)
	config = config "\n\t" line
}
END { flush_applet() }
