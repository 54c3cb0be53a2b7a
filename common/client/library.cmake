# libhuiyin.so: the client with what it uses of common/ inside. Apps see hy_client_* and nothing else; the libraries below it come in only where it
# calls them.
add_library(huiyin_client SHARED ${CMAKE_CURRENT_LIST_DIR}/shared/quiet.c)
set_target_properties(huiyin_client PROPERTIES OUTPUT_NAME huiyin VERSION ${PROJECT_VERSION} SOVERSION 0
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib LINK_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/huiyin.map)
target_link_libraries(huiyin_client PRIVATE "$<LINK_LIBRARY:WHOLE_ARCHIVE,hy_client>" hy_wire hy_loop hy_json hy_http)
target_link_options(huiyin_client PRIVATE -Wl,--as-needed -Wl,--gc-sections -Wl,-z,nodelete
  -Wl,--version-script=${CMAKE_CURRENT_LIST_DIR}/huiyin.map)
if(NOT HY_SANITIZE)
  target_link_options(huiyin_client PRIVATE -Wl,-z,defs)
endif()
