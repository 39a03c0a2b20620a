# Fits the controller's nginx.tmpl to Debian's nginx: its modules are loaded at
# run time, and there is no Lua in its stream module.

/^pid / && !loaded {
  print
  loaded = split("ndk_http_module ngx_http_lua_module ngx_http_headers_more_filter_module ngx_http_set_misc_module ngx_stream_module", modules, " ")
  for (i = 1; i <= loaded; i++) print "load_module /etc/nginx/modules/" modules[i] ".so;"
  next
}

/^stream \{/ { stream = 1 }
/^\{\{\/\* definition of templates/ { stream = 0 }

stream && /lua_package_path|lua_shared_dict|lua_add_variable/ { next }

# A block of Lua: leave out everything up to the brace that closes it.
stream && /_by_lua_block \{/ {
  depth = gsub(/\{/, "{") - gsub(/\}/, "}")
  while (depth > 0) {
    getline
    depth += gsub(/\{/, "{") - gsub(/\}/, "}")
  }
  next
}

stream && /upstream upstream_balancer \{/ {
  while ($0 !~ /^    \}/) getline
  next
}

# The controller sends its TCP services here, which Lua would keep. It only
# needs someone who reads them.
stream && /listen 127.0.0.1:\{\{ .StreamPort/ {
  print
  print "        proxy_pass 127.0.0.1:{{ .StatusPort }};"
  next
}

# TCP and UDP services go through the Service's address instead.
stream && /range \$tcpServer/ { server = "tcpServer" }
stream && /range \$udpServer/ { server = "udpServer" }
stream && /proxy_pass +upstream_balancer/ {
  print "        proxy_pass              {{ $" server ".Service.Spec.ClusterIP }}:{{ $" server ".Backend.Port }};"
  next
}

{ print }
