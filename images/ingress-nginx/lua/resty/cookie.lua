-- Stands in for resty.cookie.
-- Used API: cookie:new(), :get(name), :set{key,value,path,domain,secure,
--           httponly,samesite,expires,max_age}
local setmetatable, type = setmetatable, type
local concat = table.concat

local _M = {}
local mt = { __index = _M }

function _M.new(_)
  return setmetatable({}, mt)
end

local function parse(header)
  local out = {}
  if type(header) == "table" then header = concat(header, "; ") end
  for name, value in (header or ""):gmatch("%s*([^=;]+)=([^;]*)") do
    value = value:gsub("%s+$", "")
    if value:sub(1, 1) == '"' and value:sub(-1) == '"' and #value > 1 then
      value = value:sub(2, -2)
    end
    if out[name] == nil then out[name] = value end
  end
  return out
end

function _M.get(self, key)
  if not self.cookies then self.cookies = parse(ngx.var.http_cookie) end
  local v = self.cookies[key]
  if v == nil then return nil, "no cookie found in the current request" end
  return v
end

function _M.set(_, c)
  if not c.key or not c.value then return nil, 'missing field "key" or "value"' end
  local p = { c.key .. "=" .. c.value }
  if c.expires then p[#p + 1] = "Expires=" .. c.expires end
  if c.max_age then p[#p + 1] = "Max-Age=" .. c.max_age end
  if c.domain then p[#p + 1] = "Domain=" .. c.domain end
  if c.path then p[#p + 1] = "Path=" .. c.path end
  if c.secure then p[#p + 1] = "Secure" end
  if c.httponly then p[#p + 1] = "HttpOnly" end
  if c.samesite then p[#p + 1] = "SameSite=" .. c.samesite end
  local line = concat(p, "; ")
  local old = ngx.header["Set-Cookie"]
  if old == nil then
    ngx.header["Set-Cookie"] = line
  else
    if type(old) ~= "table" then old = { old } end
    -- replace an earlier value of the same cookie, keep the others
    local list = {}
    for i = 1, #old do
      if old[i]:sub(1, #c.key + 1) ~= c.key .. "=" then list[#list + 1] = old[i] end
    end
    list[#list + 1] = line
    ngx.header["Set-Cookie"] = list
  end
  return true
end

return _M
