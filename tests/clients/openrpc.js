// openrpc.js: reads an OpenRPC document on stdin; exit 0 when it is valid and its
// references can be resolved.
'use strict';
const { parseOpenRPCDocument, validateOpenRPCDocument } = require('@open-rpc/schema-utils-js');

async function main() {
  const document = JSON.parse(require('fs').readFileSync(0, 'utf8'));
  const valid = validateOpenRPCDocument(document);
  if (valid !== true)
    throw valid;
  const parsed = await parseOpenRPCDocument(document);
  console.log(parsed.methods.length);
}

main().catch((err) => {
  console.error(err);
  process.exit(1);
});
