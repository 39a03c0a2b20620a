-- Stands in for resty.dns.resolver: A/AAAA over UDP only.
-- Used API: resolver:new{nameservers,retrans,timeout}, :query(name,{qtype}), TYPE_A, TYPE_AAAA
local bit = require("bit")
local byte, char, sub, format = string.byte, string.char, string.sub, string.format
local concat, setmetatable, type, random = table.concat, setmetatable, type, math.random

local _M = { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28, CLASS_IN = 1 }
local mt = { __index = _M }
local ERR = { "format error", "server failure", "name error", "not implemented", "refused" }

function _M.new(_, opts)
  if not opts or not opts.nameservers or #opts.nameservers == 0 then
    return nil, "no nameservers specified"
  end
  return setmetatable({
    servers = opts.nameservers, retrans = opts.retrans or 5, timeout = opts.timeout or 2000,
    nextserver = random(#opts.nameservers),
  }, mt)
end

local function u16(s, i)
  local a, b = byte(s, i, i + 1)
  if not b then return nil end
  return a * 256 + b
end

local function skip_name(s, i)
  while true do
    local l = byte(s, i)
    if not l then return nil end
    if l == 0 then return i + 1 end
    if l >= 192 then return i + 2 end
    i = i + l + 1
  end
end

local function build(id, name, qtype)
  local p = { char(bit.rshift(id, 8), bit.band(id, 255)), "\1\0\0\1\0\0\0\0\0\0" }
  for label in name:gmatch("[^.]+") do
    if #label > 63 then return nil, "bad name" end
    p[#p + 1] = char(#label) .. label
  end
  p[#p + 1] = "\0" .. char(0, qtype, 0, 1)
  return concat(p)
end

local function parse(s, id)
  if #s < 12 then return nil, "truncated" end
  if u16(s, 1) ~= id then return nil, "id mismatch" end
  local rcode = bit.band(byte(s, 4), 15)
  if rcode ~= 0 then return { errcode = rcode, errstr = ERR[rcode] or "unknown" } end
  local qd, an, i = u16(s, 5), u16(s, 7), 13
  for _ = 1, qd do
    i = skip_name(s, i)
    if not i then return nil, "truncated" end
    i = i + 4
  end
  local answers = {}
  for _ = 1, an do
    i = skip_name(s, i)
    if not i or #s < i + 9 then return nil, "truncated" end
    local typ, ttl, len = u16(s, i), u16(s, i + 4) * 65536 + u16(s, i + 6), u16(s, i + 8)
    local d = sub(s, i + 10, i + 9 + len)
    local ans = { type = typ, class = u16(s, i + 2), ttl = ttl, section = 1 }
    if typ == 1 and len == 4 then
      ans.address = format("%d.%d.%d.%d", byte(d, 1, 4))
    elseif typ == 28 and len == 16 then
      local g = {}
      for k = 1, 16, 2 do g[#g + 1] = format("%x", u16(d, k)) end
      ans.address = "[" .. concat(g, ":") .. "]"
    end
    answers[#answers + 1] = ans
    i = i + 10 + len
  end
  return answers
end

function _M.query(self, name, opts)
  local qtype = opts and opts.qtype or 1
  local last
  for _ = 1, self.retrans do
    local server = self.servers[self.nextserver]
    self.nextserver = self.nextserver % #self.servers + 1
    local host, port = server, 53
    if type(server) == "table" then host, port = server[1], server[2] or 53 end
    local id = random(0, 65535)
    local q, err = build(id, name, qtype)
    if not q then return nil, err end
    local sock = ngx.socket.udp()
    sock:settimeout(self.timeout)
    local ok
    ok, err = sock:setpeername(host, port)
    if ok then ok, err = sock:send(q) end
    if ok then
      local data
      data, err = sock:receive(4096)
      if data then
        local answers
        answers, err = parse(data, id)
        if answers then
          sock:close()
          return answers
        end
      end
    end
    last = err
    sock:close()
  end
  return nil, "failed to query " .. name .. ": " .. (last or "unknown")
end

return _M
