# JSON without the blanks between its parts, as lines of C strings.
{
	out = ""
	for (i = 1; i <= length($0); i++) {
		c = substr($0, i, 1)
		if (in_string && c == "\\") {
			out = out "\\\\"
			c = substr($0, ++i, 1)
			out = out (c == "\"" || c == "\\" ? "\\" : "") c
			continue
		}
		if (c == "\"")
			in_string = !in_string
		if (!in_string && (c == " " || c == "\t" || c == "\r"))
			continue
		out = out (c == "\"" ? "\\" : "") c
	}
	print "\"" out "\""
}
